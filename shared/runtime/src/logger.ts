import pino, { type Logger as Pino } from 'pino';

/** Structured logs as JSON lines on stderr; messages are constant text, what varies goes into fields. */
export type Logger = Pino;

/** The logger of one process. Level by `HAWSER_LOG_LEVEL` (default `info`); `fields` go into every line as they are then. */
export function createLogger(part: string, fields: () => Readonly<Record<string, string>> = () => ({})): Logger {
  return pino(
    {
      level: process.env['HAWSER_LOG_LEVEL'] ?? 'info',
      base: { part, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: fields,
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
