import type { ReactNode } from 'react';

/** What stands on each shelf, by the shelf's number. */
const DRAWINGS: Readonly<Record<string, ReactNode>> = {
  // Knives.
  11: <path d="M50 20c10 6 14 22 12 36H46V20zM46 56h16v6H46zM48 62v16a6 6 0 0 0 12 0V62" />,
  // Pots and pans.
  12: (
    <path d="M28 46h44v22a8 8 0 0 1-8 8H36a8 8 0 0 1-8-8zM24 46h52M40 38h20M50 38v-6M18 54h10M72 54h10" />
  ),
  // Tea and coffee.
  13: (
    <path d="M28 42h38v20a12 12 0 0 1-12 12H40a12 12 0 0 1-12-12zM66 46h5a8 8 0 0 1 0 16h-5M22 80h52M40 34c-4-5 4-7 0-12M53 34c-4-5 4-7 0-12" />
  ),
  // Boards.
  14: (
    <path d="M32 36h36a4 4 0 0 1 4 4v36a4 4 0 0 1-4 4H32a4 4 0 0 1-4-4V40a4 4 0 0 1 4-4zM44 36V22h12v14M50 27v3M38 48v20M46 48v14" />
  ),
  // Lamps.
  21: <path d="M38 24h24l12 26H26zM50 50v26M36 78h28M62 50v10" />,
  // Chairs.
  22: <path d="M34 20v58M66 44v34M34 50h32M34 24c10-3 14 0 14 8v18M34 64h32" />,
  // Textiles.
  23: (
    <path d="M28 30c14 4 30 4 44 0-4 14-4 28 0 42-14-4-30-4-44 0 4-14 4-28 0-42zM40 42l20 18M60 42L40 60" />
  ),
  // Clocks.
  24: <path d="M50 22a28 28 0 1 0 .1 0zM50 34v16l11 8M50 26v3M50 71v3M26 50h3M71 50h3" />,
  // Tools.
  31: <path d="M50 20v26M44 20h12M38 46h24v14c0 10-6 18-12 22-6-4-12-12-12-22zM50 54v14" />,
  // Pots.
  32: (
    <path d="M34 56h32l-4 22H38zM50 56V34M50 44c-12 0-18-6-18-16 12 0 18 6 18 16zM50 38c0-10 6-15 17-15 0 10-6 15-17 15z" />
  ),
  // Outdoor.
  33: (
    <path d="M38 40h24v32H38zM34 72h32v6H34zM38 40l6-10h12l6 10M50 30v-4M44 22a6 6 0 0 1 12 0M50 66c-7-5-4-10 0-16 4 6 7 11 0 16z" />
  ),
  // Paper.
  41: (
    <path d="M34 22h34v56H34zM42 22v56M50 36h11M50 45h11M50 54h7M30 32h8M30 44h8M30 56h8M30 68h8" />
  ),
  // Pens.
  42: <path d="M64 20l12 12-38 38-16 4 4-16zM58 26l12 12M26 58l12 12" />,
  // Order.
  43: <path d="M26 44h48v32H26zM26 60h14l4 6h12l4-6h14M34 44V28h32v16M42 36h16" />,
  // Bags.
  51: (
    <path d="M32 44a18 18 0 0 1 36 0v30a4 4 0 0 1-4 4H36a4 4 0 0 1-4-4zM44 26v-4h12v4M40 56h20v14H40zM40 62h20M26 50v18M74 50v18" />
  ),
  // Camp.
  52: <path d="M50 24L22 76h56zM50 24l-4-6M50 24l4-6M50 46l-14 30M50 46l14 30" />,
  // Cycling.
  53: (
    <path d="M32 50a14 14 0 1 0 .1 0zM70 50a14 14 0 1 0 .1 0zM32 64l12-26h20l6 26M44 38l8 26H32M52 64l12-26M64 38l-2-8h8M40 34h8" />
  ),
  // E-books.
  61: (
    <path d="M50 32c-8-6-18-7-28-6v44c10-1 20 0 28 6 8-6 18-7 28-6V26c-10-1-20 0-28 6zM50 32v44M30 38c4 0 8 0 12 2M30 48c4 0 8 0 12 2M70 38c-4 0-8 0-12 2M70 48c-4 0-8 0-12 2" />
  ),
  // Audio books.
  62: (
    <path d="M26 58V50a24 24 0 0 1 48 0v8M26 56h8v20h-4a4 4 0 0 1-4-4zM74 56h-8v20h4a4 4 0 0 0 4-4z" />
  ),
  // Patterns.
  63: <path d="M28 22h34l10 10v46H28zM62 22v10h10M36 66c6-20 14-4 18-14s8-8 10-8M36 42h8" />,
};

interface PictureProps {
  readonly id: string;
  readonly categoryId: string;
  readonly imageUrl: string | null;
}

/**
 * The picture of a product. The demo's products have addresses of pictures but no server that holds
 * them, and the page loads nothing from elsewhere: so it draws what kind of thing it is.
 */
export function Picture({ id, categoryId, imageUrl }: PictureProps) {
  const tone = Number(id.replace(/\D/g, '')) % 6;
  const drawing = imageUrl && DRAWINGS[categoryId];
  if (!drawing) return <span className="picture none">No picture yet</span>;
  return (
    <svg className={`picture tone-${tone}`} viewBox="0 0 100 100" aria-hidden="true">
      {drawing}
    </svg>
  );
}
