/** Definitions are made of schemas, and nothing of them is lost on the way. What an API server makes of them: `test/kubernetes/crds.test.ts`. */
import { KINDS, kindNamed } from '@hawser/model/kinds.ts';
import { validateResource } from '@hawser/model/validate.ts';
import Type from 'typebox';
import { expect, it } from 'vitest';
import { CRD_EXAMPLES, changed } from './crd-examples-fixture.ts';
import { definitionOf } from './custom-resource-definition.ts';
import { multiclusterDefinitions } from './multicluster-definitions.ts';
import { exactlyOneOf, structuralSchema } from './structural-schema.ts';

const OURS = KINDS.filter(({ group }) => group === 'hawser.dev');

it('each kind of ours is defined with the names and the scope that the hub knows it by', () => {
  expect(OURS.map(definitionOf)).toMatchObject(
    OURS.map(({ kind, plural, group, namespaced }) => ({
      metadata: { name: `${plural}.${group}` },
      spec: { group, scope: namespaced ? 'Namespaced' : 'Cluster', names: { kind, plural } },
    })),
  );
});

it('both versions of the MCS API are served, and v1beta1 is kept', () => {
  for (const definition of multiclusterDefinitions()) {
    const { versions } = (definition as { readonly spec: { readonly versions: readonly object[] } }).spec;
    expect(versions).toMatchObject([
      { name: 'v1beta1', served: true, storage: true },
      { name: 'v1alpha1', served: true, storage: false },
    ]);
  }
});

it('a union of objects is one object of which exactly one field is set', () => {
  const made = structuralSchema(Type.Union([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Integer() })]));
  expect(made).toEqual({
    type: 'object',
    properties: { a: { type: 'string' }, b: { type: 'integer' } },
    'x-kubernetes-validations': [exactlyOneOf(['a', 'b'])],
  });
});

it('words to choose from are an enum, and a list of different words is a set', () => {
  const words = Type.Array(Type.Union([Type.Literal('a'), Type.Literal('b')]), { uniqueItems: true, maxItems: 2 });
  expect(structuralSchema(words)).toEqual({
    ...{ type: 'array', items: { type: 'string', enum: ['a', 'b'] }, 'x-kubernetes-list-type': 'set', maxItems: 2 },
  });
});

it('what rules look at has a bound, the own one of the kind or ours', () => {
  const entry = Type.Object({ a: Type.Optional(Type.String()), b: Type.Optional(Type.String()) });
  const rules = new Map([['spec[]', [exactlyOneOf(['a', 'b'])]]]);
  expect(structuralSchema(Type.Array(entry), rules)).toMatchObject({ maxItems: 256 });
  expect(structuralSchema(Type.Array(entry, { maxItems: 3 }), rules)).toMatchObject({ maxItems: 3 });
  expect(structuralSchema(Type.Array(entry))).not.toHaveProperty('maxItems');
  expect(structuralSchema(Type.Record(Type.String({ pattern: '^a' }), Type.Integer()))).toMatchObject({ maxProperties: 1_000 });
});

it('what a CRD has no word for is refused, and so is a rule for a place that there is not', () => {
  expect(() => structuralSchema(Type.Union([Type.String(), Type.Integer()]))).toThrow('spec: a CRD knows no union');
  expect(() => structuralSchema(Type.Object({ a: Type.Unknown() }))).toThrow('spec.a: a CRD has no schema');
  const rules = new Map([['spec.b', [exactlyOneOf(['c'])]]]);
  expect(() => structuralSchema(Type.Object({ a: Type.String() }), rules)).toThrow('rules are for spec.b');
});

it('every kind of ours has an example', () => {
  expect(new Set(CRD_EXAMPLES.map(({ kind }) => kind))).toEqual(new Set(OURS.map(({ kind }) => kind)));
});

it.each(CRD_EXAMPLES.map((example) => [example.kind, example] as const))(
  'the hub agrees with the definition of %s',
  (name, { spec, wrong }) => {
    const kind = kindNamed(name);
    if (kind === undefined) throw new Error(`no kind ${name}`);
    const metadata = { name: 'example', ...(kind.namespaced ? { namespace: 'shop' } : {}) };
    const judged = (of: object) =>
      validateResource({ apiVersion: `${kind.group}/${kind.versions[0]}`, kind: name, metadata, spec: of }, kind);
    expect(judged(spec)).toHaveProperty('resource');
    expect(wrong.filter(([change]) => !('issues' in judged(changed(spec, change))))).toEqual([]);
  },
);
