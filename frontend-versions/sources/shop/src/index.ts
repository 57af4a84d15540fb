export { Answer } from './Answer';
export { BuyForm } from './BuyForm';
export { faultsOf } from './faults';
export { MoreProducts } from './MoreProducts';
export { OrderCard, OrderStatus } from './OrderCard';
export { Price } from './Price';
export { ProductTile } from './ProductTile';
export { ReviewList } from './ReviewList';
export { BRAND, startShop, useSession } from './start';
