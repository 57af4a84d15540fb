import { type FormEvent, useRef } from 'react';
import { isUser, type Session } from '../state/session';
import { type Store, useStore } from '../state/store';

/** Picks who uses this tab. The names of the customers are only proposals. */
export function ShopAs({ session }: { readonly session: Store<Session> }) {
  const { user, customer } = useStore(session);
  const dialog = useRef<HTMLDialogElement>(null);
  const form = useRef<HTMLFormElement>(null);

  function ask() {
    // What was typed and then cancelled is forgotten.
    form.current?.reset();
    dialog.current?.showModal();
  }

  function apply(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const said = new FormData(event.currentTarget);
    const picked = String(said.get('user'));
    const company = String(said.get('customer')).trim();
    if (isUser(picked)) session.change(() => ({ user: picked, customer: company }));
    dialog.current?.close();
  }

  return (
    <>
      <button type="button" className="quiet who" onClick={ask}>
        <span className="visually-hidden">Change who you are. Now: </span>
        User {user}
        {customer && ` · ${customer}`}
      </button>
      <dialog ref={dialog} aria-labelledby="shop-as">
        <form ref={form} onSubmit={apply}>
          <h2 id="shop-as">Who are you?</h2>
          <label>
            User, a number from 1 to 5000
            <input name="user" type="number" min={1} max={5000} defaultValue={user} required />
          </label>
          <label>
            Customer, or nothing
            <input name="customer" defaultValue={customer} list="customers" autoComplete="off" />
          </label>
          <datalist id="customers">
            <option value="acme" />
            <option value="globex" />
          </datalist>
          <p className="muted">
            This is a demo, so the page itself sends your choice, as <code>x-turnout-unit</code> and{' '}
            <code>x-turnout-customer</code>. In production the edge in front of the gateway sets
            these headers after sign-in and drops what browsers send: a browser could claim
            anything.
          </p>
          <div className="actions">
            <button type="submit" className="primary">
              Continue
            </button>
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
