import pino, { type Logger as Pino } from 'pino';

/** Structured logs as JSON lines on stderr; messages are constant text, what varies goes into fields. */
export type Logger = Pino;

/** The logger of one process. Level by `HAWSER_LOG_LEVEL` (default `info`). */
export function createLogger(part: string): Logger {
  return pino(
    { level: process.env['HAWSER_LOG_LEVEL'] ?? 'info', base: { part, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
