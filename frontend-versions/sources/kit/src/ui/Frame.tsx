import { type ReactNode, useEffect, useRef } from 'react';
import type { Gateway } from '../gateway/gateway';
import { href, useRoute } from '../state/route';
import type { Session } from '../state/session';
import { type Store, useStore } from '../state/store';
import { Assigned, Retired, UpdateBar } from './Notices';
import { ServedBy } from './ServedBy';
import { ShopAs } from './ShopAs';

export interface Place {
  readonly label: string;
  readonly segments: readonly string[];
}

interface FrameProps {
  readonly brand: string;
  readonly places: readonly Place[];
  readonly gateway: Gateway;
  readonly session: Store<Session>;
  readonly children: ReactNode;
}

/** What is around every page: the bar at the top, notices, and who served it at the bottom. */
export function Frame({ brand, places, gateway, session, children }: FrameProps) {
  const { notice } = useStore(gateway.heard);
  const { segments } = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = segments.join('/');
  useFocusOn(main, place);

  return (
    <>
      {/* No link: the fragment is the route, and `#main` would be another page. */}
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header className="bar">
        <a className="brand" href={href([])}>
          {brand}
        </a>
        <nav aria-label="Main">
          {places.map(({ label, segments: to }) => (
            <a
              key={label}
              href={href(to)}
              aria-current={to.join('/') === place ? 'page' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
        <ShopAs session={session} />
      </header>
      {notice.kind === 'update' && <UpdateBar frontend={gateway.frontend} target={notice.target} />}
      <Assigned gateway={gateway} session={session} />
      <main ref={main} tabIndex={-1}>
        {notice.kind === 'retired' ? <Retired frontend={gateway.frontend} /> : children}
      </main>
      <ServedBy gateway={gateway} />
    </>
  );
}

/** Following a link replaces the page without a load: readers of screens are told by the focus. */
function useFocusOn(main: { readonly current: HTMLElement | null }, place: string): void {
  const shown = useRef(place);
  useEffect(() => {
    if (shown.current === place) return;
    shown.current = place;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [main, place]);
}
