/** `docs/analysis.md`, made from the table of codes. */
import { CODE_NAMES, CODES } from './codes.ts';

const GROUPS: readonly (readonly [prefix: string, title: string])[] = [
  ['HW00', 'What is written'],
  ['HW01', 'Hosts, ports and subsets'],
  ['HW02', 'Rules of VirtualServices'],
  ['HW03', 'DestinationRules'],
  ['HW04', 'Ports of services'],
  ['HW05', 'Placement and regions'],
  ['HW06', 'Gateways'],
  ['HW07', 'Sidecars'],
  ['HW08', 'ServiceEntries'],
  ['HW09', 'Visibility'],
  ['HW10', 'Providers'],
  ['HW11', 'Who may call'],
];

const HEAD = `# Findings of the analysis

\`hawser analyze\` looks at files, at what the hub holds, or at both together; writes are answered with the findings about what was written, as warnings.
An *Error* does not do what it says, or is refused; a *Warning* probably does not do what was meant; an *Info* is worth knowing. What is not known (services and
clusters, when no hub is asked) is never taken for missing. Made from the code by \`npm run golden -- shared/model/src/analysis\`.
`;

/** The whole document. */
export function analysisDocument(): string {
  const sections = GROUPS.flatMap(([prefix, title]) => {
    const rows = CODE_NAMES.filter((code) => code.startsWith(prefix)).map((code) => {
      const { severity, title: found, fix } = CODES[code];
      return `| ${code} | ${severity} | ${found} | ${fix} |`;
    });
    return [`## ${title}\n`, '| code | severity | what | the way out |', '|---|---|---|---|', ...rows, ''];
  });
  return [HEAD, ...sections].join('\n');
}
