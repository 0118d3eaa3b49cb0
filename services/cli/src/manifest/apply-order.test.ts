import { expect, it } from 'vitest';
import { applyOrder } from './apply-order.ts';
import { parseManifests } from './parse-manifests.ts';

it('writes what is referred to before what refers to it, else in the order of the files', () => {
  const specs: Readonly<Record<string, string>> = {
    VirtualService: '{hosts: [a], http: [{route: [{destination: {host: a}}]}]}',
    DestinationRule: '{host: a}',
    TrafficShift: '{services: [a], regions: {r: 100}}',
  };
  const documents = ['VirtualService a', 'TrafficShift b', 'VirtualService c', 'DestinationRule d', 'DestinationRule e'].map((text) => {
    const [kind = '', name] = text.split(' ');
    const group = kind === 'TrafficShift' ? 'hawser.dev/v1alpha1' : 'networking.istio.io/v1';
    return `apiVersion: ${group}\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${specs[kind]}\n`;
  });
  const { manifests } = parseManifests('f', documents.join('---\n'), 'default');
  expect(applyOrder(manifests).map(({ resource }) => resource.metadata.name)).toEqual(['d', 'e', 'b', 'a', 'c']);
});
