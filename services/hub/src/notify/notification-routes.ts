/** `GET /hawser/v1/notifications`: how the webhook sinks do. Their addresses are not shown, for those may be secrets. */
import type { NotificationsAnswer, SinkEntry } from '@hawser/wire/notifications.ts';
import type { FastifyInstance } from 'fastify';

/** What the route asks. */
export interface NotificationParts {
  entries(): Promise<readonly SinkEntry[]>;
}

/** Adds the route. */
export function notificationRoutes(app: FastifyInstance, parts: NotificationParts | undefined): void {
  app.get('/hawser/v1/notifications', async (): Promise<NotificationsAnswer> => ({ sinks: [...((await parts?.entries()) ?? [])] }));
}
