/** Where policy of the own cluster comes from: an API server, or nothing. */
import type { MemberPolicies } from '@hawser/model/policy-mode.ts';
import type { FoundPolicies } from '@hawser/wire/found-policies.ts';

/** What of an account does not depend on who speaks. */
export type PolicyAccount = Omit<FoundPolicies, 'term' | 'policies'>;

/** A live source of policy. What it cannot read it takes nothing back of. */
export interface PolicySource {
  /** The setting that is followed; undefined while nothing is. */
  readonly policies: MemberPolicies | undefined;
  /** What is known; of kinds that were not listed since the setting changed nothing is said. */
  account(): PolicyAccount;
  /** Follows with this setting from now on. */
  follow(policies: MemberPolicies | undefined): void;
  stop(): Promise<void>;
}

/** Makes the source of an agent; it asks for nothing before it is to follow. `onChange`: the account is another now. */
export type OpenPolicies = (onChange: () => void) => PolicySource;
