import { formatDate, Stars } from '@sidings/kit';
import type { ReactNode } from 'react';

interface Review {
  readonly id: string;
  readonly stars: number;
  readonly title: string;
  readonly text: string;
  readonly createdAt: string | null;
  readonly author: { readonly displayName: string } | null;
}

interface ReviewListProps<R extends Review> {
  /** Null when they could not be loaded. */
  readonly reviews: readonly R[] | null;
  readonly average: number | null;
  /** What a version knows of a review besides. */
  readonly extra?: (review: R) => ReactNode;
}

export function ReviewList<R extends Review>({ reviews, average, extra }: ReviewListProps<R>) {
  return (
    <section aria-labelledby="reviews" className="reviews">
      <h2 id="reviews">
        Reviews {average !== null && <Stars value={average} />}
        {average !== null && <span className="muted number">{average.toFixed(1)}</span>}
      </h2>
      {reviews === null && <p className="muted">The reviews could not be loaded.</p>}
      {reviews?.length === 0 && <p className="muted">Nobody has written a review yet.</p>}
      <ul>
        {reviews?.map((review) => (
          <li key={review.id} className="card">
            <div className="card-head">
              <Stars value={review.stars} />
              <h3>{review.title}</h3>
            </div>
            {review.text && <p>{review.text}</p>}
            <p className="muted">
              {review.author?.displayName ?? 'Somebody'}
              {review.createdAt && ` · ${formatDate(review.createdAt)}`}
              {extra?.(review)}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
