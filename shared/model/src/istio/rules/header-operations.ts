/** Header operations: names and values that Envoy takes. Pure. */
import { headerFormatProblem, headerNameProblem } from '../../header-text.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { HeaderOperations, VirtualServiceHeaders } from '../specs.ts';
import { invalid, type Steps } from './checks.ts';

/** Every problem of what is done to the headers of requests and responses. */
export function headerProblems(steps: Steps, headers: VirtualServiceHeaders | undefined): readonly SchemaProblem[] {
  return [
    ...operationProblems([...steps, 'request'], headers?.request, true),
    ...operationProblems([...steps, 'response'], headers?.response, false),
  ];
}

function operationProblems(steps: Steps, operations: HeaderOperations | undefined, isRequest: boolean): readonly SchemaProblem[] {
  const { set = {}, add = {}, remove = [] } = operations ?? {};
  return [
    ...Object.entries(set).flatMap(([name, value]) => changeProblems([...steps, 'set', name], name, value)),
    ...Object.keys(set).flatMap((name) => (isHost(name) && !isRequest ? [invalid([...steps, 'set', name], HOST_WAY)] : [])),
    ...Object.entries(add).flatMap(([name, value]) =>
      isHost(name) ? [invalid([...steps, 'add', name], HOST_WAY)] : changeProblems([...steps, 'add', name], name, value),
    ),
    ...remove.flatMap((name, index) =>
      isHost(name) ? [invalid([...steps, 'remove', index], HOST_WAY)] : changeProblems([...steps, 'remove', index], name, ''),
    ),
  ];
}

const HOST_WAY = 'is the host, which can be set, for a request, and nothing else';

function changeProblems(steps: Steps, name: string, value: string): readonly SchemaProblem[] {
  const problem = (isHost(name) ? undefined : headerNameProblem(name)) ?? headerFormatProblem(value);
  return problem === undefined ? [] : [invalid(steps, `is refused: ${problem}`)];
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host' || name.toLowerCase() === ':authority';
}
