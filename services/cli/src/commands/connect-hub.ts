import { resolve } from 'node:path';
import { createHubClient, type HubClient } from '../client/hub-client.ts';
import { locateHub } from '../client/hub-location.ts';
import { note } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';

/** Flags every command has. */
export interface GlobalFlags {
  readonly server?: string;
  readonly stateDir?: string;
  readonly caFile?: string;
  readonly verbose?: boolean;
}

/** The state folder: flag, `HAWSER_STATE_DIR`, else `.hawser` here. Absolute. */
export function stateDirOf(flags: GlobalFlags): string {
  const wanted = flags.stateDir ?? terminal().env['HAWSER_STATE_DIR'];
  return resolve(wanted === undefined || wanted === '' ? '.hawser' : wanted);
}

/** A client of the hub that the flags, the environment or the state folder name; throws when none does. */
export function connectHub(flags: GlobalFlags): HubClient {
  return createHubClient(
    locateHub({ server: flags.server, stateDir: stateDirOf(flags), caFile: flags.caFile }),
    flags.verbose === true ? note : undefined,
  );
}
