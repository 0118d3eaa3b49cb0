/** What webhook sinks are told, and how the hub answers who asks about them. */
import Type, { type Static } from 'typebox';

/** Body of each request to a sink. It may come twice: `id` tells. */
export const NotificationEvent = Type.Object({
  /** The same in every attempt, and for every sink. */
  id: Type.String(),
  /** `operation`: a phase was reached; `write`: somebody wrote a resource. */
  type: Type.Union([Type.Literal('operation'), Type.Literal('write')]),
  /** RFC 3339. */
  at: Type.String(),
  /** Of the resource. */
  kind: Type.String(),
  /** Empty for cluster-scoped kinds. */
  namespace: Type.String(),
  name: Type.String(),
  /** Of an operation: where it is now, and was before. */
  phase: Type.Optional(Type.String()),
  was: Type.Optional(Type.String()),
  /** Of a write. */
  action: Type.Optional(Type.String()),
  /** Who did it; `hub` for what happens by itself. */
  who: Type.String(),
  why: Type.String(),
  /** Of the hub, when it was done. */
  revision: Type.Integer(),
});
export type NotificationEvent = Readonly<Static<typeof NotificationEvent>>;

/** Headers of the requests: hex HMAC-SHA256 of the body after `sha256=`, the event's id, its type. */
export const SIGNATURE_HEADER = 'x-hawser-signature';
export const DELIVERY_HEADER = 'x-hawser-delivery';
export const EVENT_HEADER = 'x-hawser-event';

/** How one sink does. */
export const SinkEntry = Type.Object({
  name: Type.String(),
  delivered: Type.Integer(),
  deliveredAt: Type.Optional(Type.String()),
  /** Events that it has not taken yet, and since when the oldest one waits. */
  waiting: Type.Integer(),
  oldestAt: Type.Optional(Type.String()),
  /** Attempts of the oldest one, and why the last of them failed. */
  attempts: Type.Integer(),
  problem: Type.String(),
  /** Events of the last week that it was not told. */
  givenUp: Type.Integer(),
});
export type SinkEntry = Static<typeof SinkEntry>;

/** Answer to `GET /hawser/v1/notifications`. */
export const NotificationsAnswer = Type.Object({ sinks: Type.Array(SinkEntry) });
export type NotificationsAnswer = Static<typeof NotificationsAnswer>;
