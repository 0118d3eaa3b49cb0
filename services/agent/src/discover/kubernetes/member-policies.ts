/** Follows the policy kinds of the own API server, where the hub's setting asks for it. What cannot be read takes nothing back. */
import { ADOPTABLE } from '@hawser/model/adoption.ts';
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { type MemberPolicies, modeOf, readsAny } from '@hawser/model/policy-mode.ts';
import type { FollowedPolicies } from '@hawser/wire/found-policies.ts';
import type { PolicyAccount, PolicySource } from '../policy-source.ts';
import type { ApiClient } from './api-client.ts';
import type { ReadObject } from './object-facts.ts';
import { policyAccount } from './policy-account.ts';
import { type PolicyFacts, policyReader } from './policy-facts.ts';
import { REFLECTOR_TIMES, Reflector, type ReflectorTimes } from './reflector.ts';

/** What it works with. */
export interface MemberPolicyParts {
  readonly api: ApiClient;
  /** The account is another now. */
  readonly onChange: () => void;
  readonly times?: ReflectorTimes | undefined;
}

/** Policies are large, and parsed whole. */
const PAGE = 100;
const RIGHT_BY = 'set readPolicies of the chart hawser-agent, or bind hawser-agent-policies (deploy/kubernetes/agent-rbac.yaml)';
/** Most clusters lack most kinds: they are looked for now and then. */
const TIMES: ReflectorTimes = { ...REFLECTOR_TIMES, absentMs: 60_000 };

/** Collections that are read, for the role that allows it. */
export function policyPaths(kind: KindDescriptor): readonly string[] {
  return kind.versions.map((version) => `/apis/${kind.group}/${version}/${kind.plural}`);
}

/** One kind, as long as it is followed with one setting. */
interface Followed {
  readonly reflector: Reflector<PolicyFacts>;
  readonly objects: Map<string, PolicyFacts>;
  state: FollowedPolicies['state'];
  problem: string | undefined;
}

/** Everything that is followed. */
export class MemberPolicySource implements PolicySource {
  readonly #parts: MemberPolicyParts;
  #policies: MemberPolicies | undefined;
  #followed = new Map<string, Followed>();
  #ending: Promise<unknown> = Promise.resolve();

  constructor(parts: MemberPolicyParts) {
    this.#parts = parts;
  }

  get policies(): MemberPolicies | undefined {
    return this.#policies;
  }

  account(): PolicyAccount {
    return policyAccount([...this.#followed].map(([kind, { state, problem, objects }]) => ({ kind, state, problem, objects })));
  }

  /** Everything is listed anew, for what was not asked for was not kept. */
  follow(policies: MemberPolicies | undefined): void {
    const before = [...this.#followed.values()];
    this.#ending = Promise.all([this.#ending, ...before.map(({ reflector }) => reflector.stop())]);
    this.#policies = policies !== undefined && readsAny(policies) ? policies : undefined;
    this.#followed = new Map();
    if (this.#policies === undefined) return;
    for (const kind of ADOPTABLE) this.#followed.set(kind.kind, this.#begin(kind, this.#policies));
    this.#parts.onChange();
  }

  async stop(): Promise<void> {
    this.follow(undefined);
    await this.#ending;
  }

  #begin(kind: KindDescriptor, policies: MemberPolicies): Followed {
    const { api, onChange, times = TIMES } = this.#parts;
    const objects = new Map<string, PolicyFacts>();
    const put = (object: ReadObject<PolicyFacts>): void => {
      const [namespace = '', name = ''] = object.key.split('/');
      if (modeOf(policies, namespace) === 'Off') return;
      objects.set(object.key, object.facts ?? { namespace, name, bytes: 0, omitted: object.problem ?? 'it cannot be read' });
    };
    const reflector = new Reflector<PolicyFacts>({
      ...{
        api,
        rightBy: RIGHT_BY,
        kind: kind.kind,
        mayBeAbsent: true,
        paths: policyPaths(kind),
        query: {},
        pageSize: PAGE,
        read: policyReader(kind),
        times,
      },
      onList: (all, isThere) => {
        objects.clear();
        for (const object of all) put(object);
        followed.state = isThere ? 'FOLLOWED' : 'ABSENT';
        onChange();
      },
      onPut: (object) => {
        put(object);
        onChange();
      },
      onRemove: (key) => {
        if (objects.delete(key)) onChange();
      },
      onProblem: (problem) => {
        if (followed.problem === problem) return;
        followed.problem = problem;
        onChange();
      },
    });
    const followed: Followed = { reflector, objects, state: 'UNREAD', problem: undefined };
    void reflector.list();
    return followed;
  }
}
