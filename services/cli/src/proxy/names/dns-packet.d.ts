/** The part of dns-packet that the resolver uses: it comes without types. */
declare module 'dns-packet' {
  export interface Question {
    readonly name: string;
    /** `A`, `AAAA`, …; `UNKNOWN_65` for one it does not know. */
    readonly type: string;
    readonly class: string;
  }
  export interface Soa {
    readonly mname: string;
    readonly rname: string;
    readonly serial: number;
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    readonly minimum: number;
  }
  export interface Srv {
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  }
  export type Answer =
    | { readonly name: string; readonly type: 'A' | 'AAAA'; readonly ttl: number; readonly data: string }
    | { readonly name: string; readonly type: 'SRV'; readonly ttl: number; readonly data: Srv }
    | { readonly name: string; readonly type: 'TXT'; readonly ttl: number; readonly data: string }
    | { readonly name: string; readonly type: 'SOA'; readonly ttl: number; readonly data: Soa };
  export interface OptAnswer {
    readonly name: '.';
    readonly type: 'OPT';
    readonly udpPayloadSize: number;
    readonly extendedRcode: number;
    readonly ednsVersion: number;
    readonly flags: number;
    readonly options: readonly unknown[];
  }
  export interface Packet {
    readonly id?: number;
    readonly type?: 'query' | 'response';
    readonly flags?: number;
    readonly questions?: readonly Question[];
    readonly answers?: readonly Answer[];
    readonly authorities?: readonly Answer[];
    readonly additionals?: readonly (OptAnswer | Answer)[];
  }
  export interface DecodedPacket extends Required<Packet> {
    readonly opcode: string;
    readonly rcode: string;
    readonly flag_qr: boolean;
    readonly flag_aa: boolean;
    readonly flag_tc: boolean;
  }
  export const AUTHORITATIVE_ANSWER: number;
  export const TRUNCATED_RESPONSE: number;
  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  export function encode(packet: Packet): Buffer;
  /** Throws on what is no packet. */
  export function decode(bytes: Buffer): DecodedPacket;
}
