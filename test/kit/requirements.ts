/** What some tests need of the machine. Absent, they are skipped and say so; `HAWSER_REQUIRE=go,root,chromium,iptables,openssl,prometheus,etcd,ipv6` forbids the skip. */
import { accessSync, constants } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';

/** A thing that not every machine has. */
export type Requirement = 'go' | 'root' | 'chromium' | 'iptables' | 'openssl' | 'prometheus' | 'etcd' | 'ipv6';

/** What is no program. */
const OTHERWISE: Partial<Readonly<Record<Requirement, () => boolean>>> = {
  root: () => process.getuid?.() === 0,
  ipv6: () => Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1')),
};

/** Whether the machine has it. Throws when it has not and `HAWSER_REQUIRE` names it. */
export function available(requirement: Requirement): boolean {
  const has = (OTHERWISE[requirement] ?? (() => onPath(requirement)))();
  const required = (process.env['HAWSER_REQUIRE'] ?? '').split(',').includes(requirement);
  if (!has && required) throw new Error(`HAWSER_REQUIRE names ${requirement}, which this machine does not have`);
  return has;
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
