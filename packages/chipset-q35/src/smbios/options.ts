/** What can be said about the machine in SMBIOS structures; what is left out is as in QEMU. */
import { isFlag, isListOf, isShape, isText, isWhole, maybe, type OptionShape, refuse } from '@smm/x86-defs';

/** Type 0; left out: the firmware describes itself. */
export interface SmbiosBios {
  /** Text of `vendor=`. */
  readonly vendor?: string;
  /** Text of `version=`. */
  readonly version?: string;
  /** Text of `date=`. */
  readonly date?: string;
  /** Major and minor release, a byte each. */
  readonly release?: readonly [major: number, minor: number];
  /** The firmware is UEFI. Default false. */
  readonly uefi?: boolean;
}

/** Type 1. */
export interface SmbiosSystem {
  /** Text of `manufacturer=`. */
  readonly manufacturer?: string;
  /** Text of `product=`. */
  readonly product?: string;
  /** Text of `version=`. */
  readonly version?: string;
  /** Text of `serial=`. */
  readonly serial?: string;
  /** Text of `sku=`. */
  readonly sku?: string;
  /** Text of `family=`. */
  readonly family?: string;
  /** 32 hexadecimal digits in five groups. Default: all 0. */
  readonly uuid?: string;
}

/** Type 4, the same for each socket. */
export interface SmbiosProcessor {
  /** Text of `sock_pfx=`. */
  readonly sock_pfx?: string;
  /** Text of `manufacturer=`. */
  readonly manufacturer?: string;
  /** Text of `version=`. */
  readonly version?: string;
  /** Text of `serial=`. */
  readonly serial?: string;
  /** Text of `asset=`. */
  readonly asset?: string;
  /** Text of `part=`. */
  readonly part?: string;
  /** MHz, 16 bit. Default 2000. */
  readonly maxSpeed?: number;
  /** MHz, 16 bit. Default 2000. */
  readonly currentSpeed?: number;
}

/** Type 17, the same for each module. */
export interface SmbiosMemory {
  /** Text of `loc_pfx=`. */
  readonly loc_pfx?: string;
  /** Text of `bank=`. */
  readonly bank?: string;
  /** Text of `manufacturer=`. */
  readonly manufacturer?: string;
  /** Text of `serial=`. */
  readonly serial?: string;
  /** Text of `asset=`. */
  readonly asset?: string;
  /** Text of `part=`. */
  readonly part?: string;
  /** MHz, 16 bit. Default: not known. */
  readonly speed?: number;
}

/** Type 2. Texts by the names of `-smbios`. */
export interface SmbiosBoard {
  /** Text of `manufacturer=`. */
  readonly manufacturer?: string;
  /** Text of `product=`. */
  readonly product?: string;
  /** Text of `version=`. */
  readonly version?: string;
  /** Text of `serial=`. */
  readonly serial?: string;
  /** Text of `asset=`. */
  readonly asset?: string;
  /** Text of `location=`. */
  readonly location?: string;
}

/** Type 3. Texts by the names of `-smbios`. */
export interface SmbiosChassis {
  /** Text of `manufacturer=`. */
  readonly manufacturer?: string;
  /** Text of `version=`. */
  readonly version?: string;
  /** Text of `serial=`. */
  readonly serial?: string;
  /** Text of `asset=`. */
  readonly asset?: string;
  /** Text of `sku=`. */
  readonly sku?: string;
}

/** All of it, by structure. */
export interface SmbiosTexts {
  /** Type 0. */
  readonly bios?: SmbiosBios;
  /** Type 1. */
  readonly system?: SmbiosSystem;
  /** Type 2, the baseboard; left out: there is none. */
  readonly board?: SmbiosBoard;
  /** Type 3. */
  readonly chassis?: SmbiosChassis;
  /** Type 4. */
  readonly processor?: SmbiosProcessor;
  /** Type 11. Default: there is none. */
  readonly oemStrings?: readonly string[];
  /** Type 17. */
  readonly memory?: SmbiosMemory;
}

const text = maybe(isText);
const speed = maybe(isWhole(0, 0xffff));
const makers = { manufacturer: text, version: text, serial: text, asset: text };
const release = isListOf(isWhole(0, 255));
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const SHAPE: OptionShape<SmbiosTexts> = {
  bios: maybe(
    isShape<SmbiosBios>({
      ...{ vendor: text, version: text, date: text, uefi: maybe(isFlag) },
      release: (option, value) => {
        if (value === undefined) return;
        release(option, value);
        if ((value as unknown[]).length !== 2) refuse(option, value, 'two numbers');
      },
    }),
  ),
  system: maybe(
    isShape<SmbiosSystem>({
      ...{ manufacturer: text, product: text, version: text, serial: text, sku: text, family: text },
      uuid: (option, value) => {
        text(option, value);
        if (value !== undefined && !UUID.test(String(value))) refuse(option, value, 'a UUID');
      },
    }),
  ),
  board: maybe(isShape({ ...makers, product: text, location: text })),
  chassis: maybe(isShape({ ...makers, sku: text })),
  processor: maybe(
    isShape<SmbiosProcessor>({
      ...{ ...makers, sock_pfx: text, part: text, maxSpeed: speed, currentSpeed: speed },
    }),
  ),
  oemStrings: maybe(isListOf(isText)),
  memory: maybe(
    isShape<SmbiosMemory>({
      ...{ loc_pfx: text, bank: text, manufacturer: text, serial: text, asset: text, part: text, speed },
    }),
  ),
};

/** Refuses what is no such description. */
export const isSmbiosTexts = isShape<SmbiosTexts>(SHAPE);
