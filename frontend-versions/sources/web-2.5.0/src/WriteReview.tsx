import { useMutation } from '@apollo/client/react';
import { Partial } from '@sidings/kit';
import { faultsOf, useSession } from '@sidings/shop';
import { type FormEvent, useRef } from 'react';
import { ProductPageDocument, WriteReviewDocument } from './operations.gen';

export function WriteReview({ productId }: { readonly productId: string }) {
  const { user } = useSession();
  const form = useRef<HTMLFormElement>(null);
  const [write, { data, error, loading }] = useMutation(WriteReviewDocument, {
    refetchQueries: [ProductPageDocument],
    awaitRefetchQueries: true,
    onCompleted: (answer) => answer.createReview && form.current?.reset(),
  });

  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (loading) return;
    const said = new FormData(event.currentTarget);
    void write({
      variables: {
        productId,
        userId: user,
        stars: Number(said.get('stars')),
        title: String(said.get('title')),
        text: String(said.get('text')),
      },
    });
  }

  return (
    <section aria-labelledby="write">
      <h2 id="write">What do you think of it?</h2>
      <form ref={form} className="write" onSubmit={send}>
        <fieldset>
          <legend>Stars</legend>
          {[1, 2, 3, 4, 5].map((stars) => (
            <label key={stars}>
              <input type="radio" name="stars" value={stars} required />
              {stars}
            </label>
          ))}
        </fieldset>
        <label>
          In a few words
          <input name="title" required maxLength={80} autoComplete="off" />
        </label>
        <label>
          The rest of it, or nothing
          <textarea name="text" rows={3} maxLength={1000} />
        </label>
        <button type="submit" className="primary" aria-disabled={loading}>
          {loading ? 'Sending…' : 'Publish the review'}
        </button>
        <div role="status">
          {data?.createReview && <p className="done">Thank you. Your review is published.</p>}
        </div>
        <Partial faults={faultsOf(error)} />
      </form>
    </section>
  );
}
