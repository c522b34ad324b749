/**
 * The ACPI files of fw_cfg. They are made when one of them is first selected after a reset: firmware has set up PCI by
 * then.
 */
import type { FwCfgFile } from '../fw-cfg.ts';
import type { AcpiBoard } from './board.ts';
import { ACPI_LOADER_FILE, ACPI_RSDP_FILE, ACPI_TABLES_FILE, layOutTables } from './loader.ts';
import { q35Tables } from './tables.ts';

/** Sizes of the files, as in QEMU: contents are padded with zeros; the tables' for so many processors. */
const TABLES_BYTES = 0x2_0000;
const PROCESSORS = 512;
const LOADER_BYTES = 0x1000;
const RSDP_BYTES = 20;

/**
 * The three files, with room for so many processors and so many bytes of further tables; `board` is asked when the
 * tables are made.
 */
export function acpiFiles(processors: number, furtherBytes: number, board: () => AcpiBoard): FwCfgFile[] {
  const units = Math.ceil(processors / PROCESSORS) + Math.ceil(furtherBytes / TABLES_BYTES);
  const tables = new Uint8Array(TABLES_BYTES * units);
  const rsdp = new Uint8Array(RSDP_BYTES);
  const loader = new Uint8Array(LOADER_BYTES);
  const onSelect = (): void => {
    if (rsdp[0] !== 0) return; // made already; a reset clears the files
    const made = layOutTables(q35Tables(board()));
    tables.set(made.tables);
    rsdp.set(made.rsdp);
    loader.set(made.loader);
  };
  return [
    { name: ACPI_TABLES_FILE, data: tables, onSelect },
    { name: ACPI_RSDP_FILE, data: rsdp, onSelect },
    { name: ACPI_LOADER_FILE, data: loader, onSelect },
  ];
}
