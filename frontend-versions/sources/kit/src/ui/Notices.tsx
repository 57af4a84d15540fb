import { useEffect, useState } from 'react';
import { assignedPath, type Frontend, frontendId, versionPath } from '../gateway/frontend';
import type { Gateway } from '../gateway/gateway';
import type { Session } from '../state/session';
import { type Store, useStore } from '../state/store';

/** The gateway would rather see another version of this page. It goes on working meanwhile. */
export function UpdateBar({ frontend, target }: UpdateBarProps) {
  return (
    <div className="notice" role="status">
      <p>
        A new version is available{target && <> ({target})</>}.{' '}
        <a href={assignedPath(frontend.app)}>Reload</a>
      </p>
    </div>
  );
}

interface UpdateBarProps {
  readonly frontend: Frontend;
  readonly target: string | undefined;
}

/** No service answers this version any more: nothing but a reload helps. */
export function Retired({ frontend }: { readonly frontend: Frontend }) {
  return (
    <section className="state" role="alert">
      <h1>This page is out of date</h1>
      <p>
        {frontendId(frontend)} is no longer supported. The current version takes its place when you
        reload. What you ordered is safe.
      </p>
      <p>
        <a className="button primary" href={assignedPath(frontend.app)}>
          Reload
        </a>
      </p>
    </section>
  );
}

/** Tells who picks another customer that the rules give that customer another version. */
export function Assigned({ gateway, session }: AssignedProps) {
  const { user, customer } = useStore(session);
  const [assigned, setAssigned] = useState<Frontend>();

  useEffect(() => {
    let current = true;
    setAssigned(undefined);
    // Without a customer nothing was picked, and the page is the one that was served.
    if (customer) {
      void gateway.assigned({ user, customer }).then((found) => current && setAssigned(found));
    }
    return () => {
      current = false;
    };
  }, [gateway, user, customer]);

  if (!assigned || frontendId(assigned) === frontendId(gateway.frontend)) return null;
  return (
    <div className="notice" role="status">
      <p>
        Customers of {customer} get {frontendId(assigned)}.{' '}
        <a href={versionPath(assigned)}>Open it</a>
      </p>
    </div>
  );
}

interface AssignedProps {
  readonly gateway: Gateway;
  readonly session: Store<Session>;
}
