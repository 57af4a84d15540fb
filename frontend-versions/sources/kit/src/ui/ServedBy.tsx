import { frontendId } from '../gateway/frontend';
import type { Gateway } from '../gateway/gateway';
import type { Served } from '../gateway/lineup';
import { useStore } from '../state/store';

/** Which versions served this page: what a colleague asks first when something looks odd. */
export function ServedBy({ gateway }: { readonly gateway: Gateway }) {
  const { frontend, lineup } = useStore(gateway.heard);
  const own = frontendId(gateway.frontend);
  return (
    <footer className="served">
      <p>
        <span className="muted">This page is </span>
        <strong data-page={own}>{own}</strong>
        {frontend && frontend !== own && (
          <>
            <span className="muted">, answered as </span>
            <strong>{frontend}</strong>
          </>
        )}
      </p>
      {lineup.length > 0 ? (
        <ul aria-label="Services that answered">
          {lineup.map((served) => (
            <Version key={served.service} {...served} />
          ))}
        </ul>
      ) : (
        <p className="muted">The gateway has not said which services answered.</p>
      )}
    </footer>
  );
}

function Version({ service, version, arm }: Served) {
  return (
    <li data-service={service} data-version={version} data-arm={arm} className={arm}>
      <span aria-hidden="true" className="mark">
        {arm === 'candidate' ? '◐' : '●'}
      </span>
      <span>{service}</span> <strong>{version}</strong>
      {arm === 'candidate' && <span className="arm">candidate</span>}
    </li>
  );
}
