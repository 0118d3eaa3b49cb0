/** While the demo stays up, Enter in its terminal loses a region by a drill and shows the report. */
import { createInterface } from 'node:readline';
import { openFile, reportPage } from './drill-report.ts';
import type { RunningDemo } from './start.ts';
import { runDrill } from './steps/scenario.ts';

/** What is said of it. */
export const OFFER = 'Enter loses us-east on purpose: a drill of half a minute under load, and its report.';

/** Waits for Enter, again and again; each that comes while a drill goes on is left out. */
export function offerDrill(demo: RunningDemo, input: NodeJS.ReadStream): void {
  let isBusy = false;
  createInterface({ input }).on('line', () => {
    if (isBusy) return;
    isBusy = true;
    void drilled(demo).finally(() => {
      isBusy = false;
    });
  });
}

async function drilled(demo: RunningDemo): Promise<void> {
  await runDrill(demo);
  const page = reportPage(demo.options.stateDir);
  if (!(await openFile(page))) demo.say.done(`nothing here opens pages: the report is ${page}`);
  demo.say.plain(`\n${OFFER} Ctrl-C ends everything.`);
}
