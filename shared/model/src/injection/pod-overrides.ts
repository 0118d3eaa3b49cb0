/** What a Pod's annotations want otherwise than the settings. Pure. */
import { OVERRIDES } from './injection-names.ts';
import { IMAGE, type InjectionSettings, QUANTITY } from './injection-settings.ts';

/** The settings for this Pod, or a sentence that names the annotation that cannot be obeyed. */
export function overridden(settings: InjectionSettings, annotations: Readonly<Record<string, string>>): InjectionSettings | string {
  const bad = Object.values(OVERRIDES).find((name) => annotations[name] !== undefined && !isUsable(name, annotations[name]));
  if (bad !== undefined) return `annotation ${bad}: ${JSON.stringify(annotations[bad])} is ${EXPECTED[bad]}`;
  const said = (name: string, value: string | undefined): Record<string, string> => (value === undefined ? {} : { [name]: value });
  return {
    ...settings,
    image: annotations[OVERRIDES.image] ?? settings.image,
    capture: annotations[OVERRIDES.capture] === undefined ? settings.capture : annotations[OVERRIDES.capture] === 'true',
    requests: { ...settings.requests, ...said('cpu', annotations[OVERRIDES.cpu]), ...said('memory', annotations[OVERRIDES.memory]) },
    limits: { ...settings.limits, ...said('cpu', annotations[OVERRIDES.cpuLimit]), ...said('memory', annotations[OVERRIDES.memoryLimit]) },
    excludeInboundPorts: [...settings.excludeInboundPorts, ...portsIn(annotations[OVERRIDES.excludeInboundPorts])],
    excludeOutboundPorts: [...settings.excludeOutboundPorts, ...portsIn(annotations[OVERRIDES.excludeOutboundPorts])],
  };
}

type Override = (typeof OVERRIDES)[keyof typeof OVERRIDES];

const NO_QUANTITY = 'no quantity, such as 250m or 256Mi';
const NO_PORTS = 'no list of ports, such as 22,9000';
const EXPECTED: Readonly<Record<Override, string>> = {
  [OVERRIDES.image]: 'no image',
  [OVERRIDES.capture]: 'neither true nor false',
  [OVERRIDES.cpu]: NO_QUANTITY,
  [OVERRIDES.memory]: NO_QUANTITY,
  [OVERRIDES.cpuLimit]: NO_QUANTITY,
  [OVERRIDES.memoryLimit]: NO_QUANTITY,
  [OVERRIDES.excludeInboundPorts]: NO_PORTS,
  [OVERRIDES.excludeOutboundPorts]: NO_PORTS,
};

function isUsable(name: Override, value: string): boolean {
  if (name === OVERRIDES.image) return IMAGE.test(value);
  if (name === OVERRIDES.capture) return value === 'true' || value === 'false';
  if (EXPECTED[name] === NO_QUANTITY) return QUANTITY.test(value);
  return portsIn(value).every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
}

function portsIn(text: string | undefined): number[] {
  const parts = (text ?? '').split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map(Number);
}
