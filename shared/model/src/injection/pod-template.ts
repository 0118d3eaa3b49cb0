/** The part of a Pod, or of a template of one, that injection looks at; everything else passes as it is. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const StringMap = Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]);
const UserContext = Type.Union([Type.Object({ runAsUser: Type.Optional(Type.Number()) }), Type.Null()]);
const Amounts = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]));
const Named = Type.Object({ name: Type.String() });
const Container = Type.Object({ name: Type.String(), securityContext: Type.Optional(UserContext) });

/** `v1.Pod` without its type, or `v1.PodTemplateSpec`. */
export const PodTemplate = Type.Object({
  metadata: Type.Optional(
    Type.Union([
      Type.Object({
        name: Type.Optional(Type.String()),
        generateName: Type.Optional(Type.String()),
        namespace: Type.Optional(Type.String()),
        labels: Type.Optional(StringMap),
        annotations: Type.Optional(StringMap),
      }),
      Type.Null(),
    ]),
  ),
  spec: Type.Object({
    containers: Type.Array(Container),
    initContainers: Type.Optional(Type.Union([Type.Array(Container), Type.Null()])),
    volumes: Type.Optional(Type.Union([Type.Array(Named), Type.Null()])),
    hostNetwork: Type.Optional(Type.Boolean()),
    securityContext: Type.Optional(UserContext),
    os: Type.Optional(Type.Union([Type.Object({ name: Type.String() }), Type.Null()])),
    nodeSelector: Type.Optional(StringMap),
    resources: Type.Optional(Type.Union([Type.Object({ requests: Amounts, limits: Amounts }), Type.Null()])),
  }),
});
export type PodTemplate = Static<typeof PodTemplate>;

const shape = Compile(PodTemplate);

/** Whether it is one; else the field that is not. */
export function podTemplateProblem(content: unknown): string | undefined {
  if (shape.Check(content)) return undefined;
  const [error] = shape.Errors(content);
  return `${(error?.instancePath ?? '').slice(1).replaceAll('/', '.')}: ${error?.message ?? 'is no Pod'}`;
}
