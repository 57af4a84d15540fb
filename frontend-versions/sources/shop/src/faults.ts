import { CombinedGraphQLErrors } from '@apollo/client';
import { type Fault, unanswered } from '@sidings/kit';

/** What Apollo Client calls an error, as the faults that came over the wire. */
export function faultsOf(error: Error | undefined): readonly Fault[] {
  if (!error) return [];
  if (CombinedGraphQLErrors.is(error)) return error.errors;
  return [unanswered(error)];
}
