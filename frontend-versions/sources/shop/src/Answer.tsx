import type { OperationVariables } from '@apollo/client';
import type { useQuery } from '@apollo/client/react';
import { Empty, hasCode, Loading, Partial, Problem } from '@sidings/kit';
import type { ReactNode } from 'react';
import { faultsOf } from './faults';

interface AnswerProps<Data, Variables extends OperationVariables, Value> {
  readonly result: useQuery.Result<Data, Variables>;
  /** What is asked for, in the middle of a sentence: "the product". */
  readonly what: string;
  /** The part of the answer that the page is about. */
  readonly pick: (data: Data) => Value | null;
  /** What to say when it does not exist. */
  readonly missing: ReactNode;
  readonly children: (value: Value) => ReactNode;
}

/** The four states of a query: on its way, failed, nothing there, and there, perhaps with gaps. */
export function Answer<Data, Variables extends OperationVariables, Value>({
  result,
  what,
  pick,
  missing,
  children,
}: AnswerProps<Data, Variables, Value>) {
  const faults = faultsOf(result.error);
  // With `errorPolicy: 'all'` what is there is whole by its type: gaps are nulls the schema allows.
  const value = result.data ? pick(result.data as Data) : null;
  if (value !== null) {
    return (
      <>
        <Partial faults={faults} />
        {children(value)}
      </>
    );
  }
  if (result.loading) return <Loading what={what} />;
  const nowhere = faults.every((fault) => hasCode([fault], 'NOT_FOUND'));
  return nowhere ? (
    <Empty>{missing}</Empty>
  ) : (
    <Problem what={sentence(what)} faults={faults} retry={() => void result.refetch()} />
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
