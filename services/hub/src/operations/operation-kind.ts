/** What the loop needs of a kind whose resources move traffic in steps (decision 27). */
import type { Resource } from '@hawser/model/resource.ts';
import type { Statements } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { KindBehaviour } from '../resource/kind-behaviour.ts';

/** What every state says of itself. */
export interface OperationState {
  readonly phase: string;
  /** Why it is where it is, for people. */
  readonly message?: string | undefined;
}

/** Who says something, and why. */
export interface OperationActor {
  readonly actor: string;
  readonly reason?: string | undefined;
  /** Groups that the actor's token is of. */
  readonly groups?: readonly string[] | undefined;
}

/** A command's author, and what it is about. */
export interface OperationOrder extends OperationActor {
  /** As it is in force. */
  readonly resource: Resource;
}

/** What evidence is made from. */
export interface OperationContext {
  readonly fleet: FleetContext;
  /** Unix milliseconds by the wall clock, which may jump: for times of day alone. */
  readonly now: number;
  /**
   * Milliseconds that a leader has attended to the operation, from 0: for durations and deadlines. It goes by a monotonic clock, stands
   * still while no hub leads, and goes on by a few seconds at most when another takes over: no jump of a clock skips or ends anything.
   */
  readonly clock: number;
  /** What `OperationKind.read` found; undefined before the start. */
  readonly found?: unknown;
}

/** A change of a state, for what follows of it elsewhere. */
export interface OperationChange<State> {
  readonly before: State;
  readonly after: State;
  readonly resource: Resource;
  /** As of `OperationContext`. */
  readonly now: number;
  readonly clock: number;
  /** Other kinds of operations, as their resources are written by people. */
  readonly others: OtherOperations;
}

/** How one operation makes, or takes away, the resource of another. */
export interface OtherOperations {
  kind(name: string): OperationKind | undefined;
  begin(tx: Statements, resource: Resource, by: OperationActor): Promise<void>;
}

/** An operation that is under way, with its resource as it is in force. */
export interface UnderWay<State = unknown> {
  readonly resource: Resource;
  readonly state: State;
}

/** A kind. All of it is pure but `check`, `read`, `evidence`, `carriedOut`, `ending`, `attend` and `changed`; states and forms are JSON. */
export interface OperationKind<State extends OperationState = OperationState, Evidence = unknown> {
  readonly kind: string;
  /** The commands that operators may give, each a route `POST …/NAME/COMMAND` with a line in `access/permissions.ts`. */
  readonly commands: readonly string[];
  /** What is wrong with a resource that is to be stored, as `KindBehaviour.check`: name the rule that refuses it. */
  readonly check?: KindBehaviour['check'];
  /** Why its resource cannot be deleted now, and what to do instead. */
  keepsResource?(state: State, resource: Resource): string | undefined;
  /** The state in which an operation begins; undefined when the resource needs none. */
  start(resource: Resource, evidence: Evidence, by: OperationActor): State | undefined;
  /** What it is judged by that only the database has: read before each look, and again in the transaction that decides. */
  read?(tx: Statements, state: State, resource: Resource): Promise<unknown>;
  /** Everything that it is judged by; `state` is undefined before the start. `resource` has `inForce` and its revision. */
  evidence(context: OperationContext, resource: Resource, state: State | undefined): Evidence;
  /** As far as the evidence allows by one step; the same object when that is nowhere. It sees a changed spec by its generation. */
  advance(state: State, resource: Resource, evidence: Evidence): State;
  /** What becomes of it by an operator's word, also when it has ended; a text says why that cannot be, and what can. */
  command(state: State, command: string, by: OperationOrder, evidence: Evidence): State | string;
  /** The spec that agents get; undefined: the resource's own. */
  inForce(resource: Resource, state: State): unknown;
  /** What `.status` shows beside the conditions of every resource; `conditions` among it stand beside those. */
  statusOf(state: State, resource: Resource, evidence: Evidence): Readonly<Record<string, unknown>>;
  /** What follows of a change elsewhere, in the transaction that stores it; answers with the state as it is to be stored. */
  carriedOut?(tx: Statements, change: OperationChange<State>): Promise<State>;
  /** What is kept of one that ends, in the transaction that ends it; answers with the state as it is to be stored. */
  ending?(tx: Statements, state: State, end: { readonly resource: Resource; readonly evidence: Evidence }): Promise<State>;
  /** Whether nothing but a command or a new spec moves it any more. */
  isEnded(state: State): boolean;
  /** Told of all that are under way whenever the leader looks (an empty list when this replica does not lead): for what runs beside them. */
  attend?(underWay: readonly UnderWay<State>[]): void;
  /** Fields of its state that the leader keeps beside the clock, every few seconds and without a revision: for whoever leads next. */
  kept?(resource: Resource): Readonly<Partial<State>> | undefined;
  /** Told of each change that the leader or a command made, once it is stored. */
  changed?(before: State | undefined, after: State, resource: Resource): void;
}
