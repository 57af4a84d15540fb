import { href, type Money, Picture, wordsOf } from '@sidings/kit';
import type { ReactNode } from 'react';
import { Price } from './Price';

interface ProductTileProps {
  readonly product: {
    readonly id: string;
    readonly title: string;
    readonly categoryId: string;
    readonly price: Money | null;
    readonly listPrice?: Money | null;
    readonly status?: string | null;
    readonly imageUrl: string | null;
  };
  /** What a version knows besides. */
  readonly children?: ReactNode;
}

/** A product in a list. The whole tile is its link. */
export function ProductTile({ product, children }: ProductTileProps) {
  const { id, title, price, listPrice, status } = product;
  return (
    <li className="tile">
      <Picture {...product} />
      <h3>
        <a href={href(['products', id])}>{title}</a>
      </h3>
      <Price price={price} before={listPrice ?? null} />
      {status && status !== 'ACTIVE' && <span className="tag">{wordsOf(status)}</span>}
      {children}
    </li>
  );
}
