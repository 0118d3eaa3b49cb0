/** PURE: whether a token's bearer may do what a route does. */
import { ROLES, type Role } from '@hawser/wire/access.ts';
import type { Permission } from './permissions.ts';

/** Whose token it is, and what for. */
export interface Identity {
  readonly name: string;
  readonly role: Role;
  /** The only namespaces it is good for; undefined: all. */
  readonly namespaces?: readonly string[] | undefined;
  /** Groups of people that it is of: some consents are asked of them. */
  readonly groups?: readonly string[] | undefined;
}

/** Where the request goes. */
export interface Place {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** Undefined when it may; else a sentence that names what is missing and who can give it. */
export function refusalOf(identity: Identity, permission: Permission, place: Place): string | undefined {
  const { role, verb, kind, limited } = permission;
  if (role === undefined) return undefined;
  const what = `${verb} ${[kind, placeOf(place)].filter((part) => part !== '').join(' ')}`;
  if (ROLES.indexOf(identity.role) < ROLES.indexOf(role)) {
    return `the token ${identity.name} has the role ${identity.role}, and to ${what} needs ${role}: an administrator makes one with hawser token create NAME --role ${role}`;
  }
  const { namespaces } = identity;
  if (namespaces === undefined || limited === 'open') return undefined;
  const only = `the token ${identity.name} is good for ${namespaces.length === 1 ? 'the namespace' : 'the namespaces'} ${namespaces.join(', ')} alone`;
  if (limited === 'closed') return `${only}, and to ${what} reaches beyond: name one of them, or use a token without a limit`;
  if (namespaces.includes(place.namespace ?? '')) return undefined;
  return `${only}, not for ${place.namespace}: an administrator makes one with hawser token create NAME --role ${role} --namespace ${place.namespace}`;
}

function placeOf({ namespace, name }: Place): string {
  return [namespace, name].filter((part) => part !== undefined && part !== '').join('/');
}
