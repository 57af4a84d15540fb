export const BRAND = 'Sidings for partners';
