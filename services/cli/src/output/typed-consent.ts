/** Consent that takes typing a name: nobody gives it by a slip of a key. */
import { note } from './print.ts';
import { terminal } from './terminal.ts';

/** What has to be typed. */
export interface TypedConsent {
  readonly name: string;
  /** What then happens to it, after "to": `drain it`. */
  readonly verb: string;
  /** What to do where nobody can type. */
  readonly unattended: string;
}

/** Whether the name was typed; false, and told, where it was not, or where there is no terminal. */
export async function typedConsent({ name, verb, unattended }: TypedConsent): Promise<boolean> {
  const { stderr, stdin } = terminal();
  if (stderr.isTTY !== true) {
    note(`nothing was done: ${unattended}`);
    return false;
  }
  stderr.write(`type ${name} to ${verb}: `);
  for await (const chunk of stdin) {
    if (chunk.toString().trim() === name) return true;
    break;
  }
  note('nothing was done');
  return false;
}
