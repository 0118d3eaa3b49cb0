/** Policies that are not served as they are wanted: what the hub makes their conditions from. Bounded. */
import type { PolicyIssue } from '@hawser/wire/messages.ts';
import type { CompileProblem } from '../guarded-compiler.ts';
import type { PolicyProbation } from '../state/policy-probation.ts';
import type { RuleProblem } from '../translate/routes/rule-problems.ts';

const MAX_ISSUES = 100;
const MAX_LENGTH = 500;

/** What it tells of. */
export interface PolicyIssueParts {
  readonly probation: PolicyProbation;
  /** Rules that are left out, or answer 503, of the policies in force. */
  readonly rules: () => readonly RuleProblem[];
  readonly now?: () => Date;
}

/** Collects what is wrong with policies, with the time since when. */
export class PolicyIssues {
  readonly #parts: PolicyIssueParts;
  #compile: readonly CompileProblem[] = [];
  #since: ReadonlyMap<string, string> = new Map();

  constructor(parts: PolicyIssueParts) {
    this.#parts = parts;
  }

  /** What could not be compiled of the newest state. */
  setCompileProblems(problems: readonly CompileProblem[]): void {
    this.#compile = problems;
  }

  /** At most 100, the gravest first, and how many there are beyond. */
  list(): { readonly policies: PolicyIssue[]; readonly policiesOmitted: number } {
    const all = [...this.#refused(), ...this.#notCompiled(), ...this.#partial()];
    const since = new Map<string, string>();
    const policies = all.slice(0, MAX_ISSUES).map((issue) => {
      const id = JSON.stringify([issue.kind, issue.namespace, issue.name, issue.state, issue.field, issue.message]);
      const at = issue.at === '' ? (this.#since.get(id) ?? (this.#parts.now?.() ?? new Date()).toISOString()) : issue.at;
      since.set(id, at);
      return { ...issue, at };
    });
    this.#since = since;
    return { policies, policiesOmitted: Math.max(0, all.length - MAX_ISSUES) };
  }

  #refused(): PolicyIssue[] {
    const { probation } = this.#parts;
    return probation.refused.map(({ key, refusal: { proxy, type, resource, message, at } }) => ({
      ...{ ...named(key), state: 'REFUSED' as const, proxy, type, resource, at },
      message: short(`${message} (${probation.hasStandIn(key) ? 'the version before is served' : 'it is left out'})`),
    }));
  }

  #notCompiled(): PolicyIssue[] {
    return this.#compile.flatMap(({ policy, message }) =>
      policy === undefined ? [] : [{ ...named(policy), state: 'NOT_COMPILED' as const, message: short(message), at: '' }],
    );
  }

  #partial(): PolicyIssue[] {
    return this.#parts
      .rules()
      .map(({ policy, field, message }) => ({ ...named(policy), state: 'PARTIAL' as const, field, message: short(message), at: '' }));
  }
}

function named(key: string): Pick<PolicyIssue, 'kind' | 'namespace' | 'name'> {
  const [kind = '', namespace = '', ...name] = key.split('/');
  return { kind, namespace, name: name.join('/') };
}

function short(message: string): string {
  return message.length > MAX_LENGTH ? `${message.slice(0, MAX_LENGTH)}…` : message;
}
