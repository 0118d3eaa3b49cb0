/** Makes it seen that a report is not as its schema says. */
import type { Logger } from '@hawser/runtime/logger.ts';
import { counter, type Registry } from '@hawser/runtime/metrics.ts';
import type { OnUnfit } from './report-store.ts';

/** Counts and logs each of them. */
export function unfitReports({ log, registry }: { readonly log: Logger; readonly registry: Registry }): OnUnfit {
  const unfit = counter(registry, 'hub_drill_unfit_reports_total');
  return (run, problems) => {
    unfit.inc();
    log.error({ run, problems }, 'the report of a run of a drill is not as its schema says: it was stored all the same');
  };
}
