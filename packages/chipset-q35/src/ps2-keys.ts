/**
 * Scan codes of a 104-key keyboard. Keys are named as W3C "UI Events KeyboardEvent code Values" names them, so that a
 * browser's `event.code` fits. Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)",
 * "Scan Code Set 1", "Scan Code Set 2".
 */

/** Name of a key. `PrintScreen` and `Pause` have sequences of their own instead of a code. */
export type KeyName =
  | 'Escape'
  | 'F1'
  | 'F2'
  | 'F3'
  | 'F4'
  | 'F5'
  | 'F6'
  | 'F7'
  | 'F8'
  | 'F9'
  | 'F10'
  | 'F11'
  | 'F12'
  | 'ScrollLock'
  | 'Backquote'
  | 'Digit1'
  | 'Digit2'
  | 'Digit3'
  | 'Digit4'
  | 'Digit5'
  | 'Digit6'
  | 'Digit7'
  | 'Digit8'
  | 'Digit9'
  | 'Digit0'
  | 'Minus'
  | 'Equal'
  | 'Backspace'
  | 'Tab'
  | 'KeyQ'
  | 'KeyW'
  | 'KeyE'
  | 'KeyR'
  | 'KeyT'
  | 'KeyY'
  | 'KeyU'
  | 'KeyI'
  | 'KeyO'
  | 'KeyP'
  | 'BracketLeft'
  | 'BracketRight'
  | 'Backslash'
  | 'CapsLock'
  | 'KeyA'
  | 'KeyS'
  | 'KeyD'
  | 'KeyF'
  | 'KeyG'
  | 'KeyH'
  | 'KeyJ'
  | 'KeyK'
  | 'KeyL'
  | 'Semicolon'
  | 'Quote'
  | 'Enter'
  | 'ShiftLeft'
  | 'IntlBackslash'
  | 'KeyZ'
  | 'KeyX'
  | 'KeyC'
  | 'KeyV'
  | 'KeyB'
  | 'KeyN'
  | 'KeyM'
  | 'Comma'
  | 'Period'
  | 'Slash'
  | 'ShiftRight'
  | 'ControlLeft'
  | 'AltLeft'
  | 'Space'
  | 'NumLock'
  | 'NumpadMultiply'
  | 'NumpadSubtract'
  | 'NumpadAdd'
  | 'NumpadDecimal'
  | 'Numpad0'
  | 'Numpad1'
  | 'Numpad2'
  | 'Numpad3'
  | 'Numpad4'
  | 'Numpad5'
  | 'Numpad6'
  | 'Numpad7'
  | 'Numpad8'
  | 'Numpad9'
  | 'MetaLeft'
  | 'MetaRight'
  | 'ContextMenu'
  | 'AltRight'
  | 'ControlRight'
  | 'NumpadEnter'
  | 'NumpadDivide'
  | 'Insert'
  | 'Delete'
  | 'Home'
  | 'End'
  | 'PageUp'
  | 'PageDown'
  | 'ArrowUp'
  | 'ArrowDown'
  | 'ArrowLeft'
  | 'ArrowRight'
  | 'PrintScreen'
  | 'Pause';

/** Set 2 make code of each key that has one; values from E000h on are E0h and a byte. */
export const PS2_SET2_CODES: Readonly<Record<Exclude<KeyName, 'PrintScreen' | 'Pause'>, number>> = {
  Escape: 0x76,
  F1: 0x05,
  F2: 0x06,
  F3: 0x04,
  F4: 0x0c,
  F5: 0x03,
  F6: 0x0b,
  F7: 0x83,
  F8: 0x0a,
  F9: 0x01,
  F10: 0x09,
  F11: 0x78,
  F12: 0x07,
  ScrollLock: 0x7e,
  Backquote: 0x0e,
  Digit1: 0x16,
  Digit2: 0x1e,
  Digit3: 0x26,
  Digit4: 0x25,
  Digit5: 0x2e,
  Digit6: 0x36,
  Digit7: 0x3d,
  Digit8: 0x3e,
  Digit9: 0x46,
  Digit0: 0x45,
  Minus: 0x4e,
  Equal: 0x55,
  Backspace: 0x66,
  Tab: 0x0d,
  KeyQ: 0x15,
  KeyW: 0x1d,
  KeyE: 0x24,
  KeyR: 0x2d,
  KeyT: 0x2c,
  KeyY: 0x35,
  KeyU: 0x3c,
  KeyI: 0x43,
  KeyO: 0x44,
  KeyP: 0x4d,
  BracketLeft: 0x54,
  BracketRight: 0x5b,
  Backslash: 0x5d,
  CapsLock: 0x58,
  KeyA: 0x1c,
  KeyS: 0x1b,
  KeyD: 0x23,
  KeyF: 0x2b,
  KeyG: 0x34,
  KeyH: 0x33,
  KeyJ: 0x3b,
  KeyK: 0x42,
  KeyL: 0x4b,
  Semicolon: 0x4c,
  Quote: 0x52,
  Enter: 0x5a,
  ShiftLeft: 0x12,
  IntlBackslash: 0x61,
  KeyZ: 0x1a,
  KeyX: 0x22,
  KeyC: 0x21,
  KeyV: 0x2a,
  KeyB: 0x32,
  KeyN: 0x31,
  KeyM: 0x3a,
  Comma: 0x41,
  Period: 0x49,
  Slash: 0x4a,
  ShiftRight: 0x59,
  ControlLeft: 0x14,
  AltLeft: 0x11,
  Space: 0x29,
  NumLock: 0x77,
  NumpadMultiply: 0x7c,
  NumpadSubtract: 0x7b,
  NumpadAdd: 0x79,
  NumpadDecimal: 0x71,
  Numpad0: 0x70,
  Numpad1: 0x69,
  Numpad2: 0x72,
  Numpad3: 0x7a,
  Numpad4: 0x6b,
  Numpad5: 0x73,
  Numpad6: 0x74,
  Numpad7: 0x6c,
  Numpad8: 0x75,
  Numpad9: 0x7d,
  MetaLeft: 0xe01f,
  MetaRight: 0xe027,
  ContextMenu: 0xe02f,
  AltRight: 0xe011,
  ControlRight: 0xe014,
  NumpadEnter: 0xe05a,
  NumpadDivide: 0xe04a,
  Insert: 0xe070,
  Delete: 0xe071,
  Home: 0xe06c,
  End: 0xe069,
  PageUp: 0xe07d,
  PageDown: 0xe07a,
  ArrowUp: 0xe075,
  ArrowDown: 0xe072,
  ArrowLeft: 0xe06b,
  ArrowRight: 0xe074,
};

/** Codes 00h to 7Fh, sixteen in a row. */
const TRANSLATION_LOW =
  'ff43413f3d3b3c58644442403e0f2959' +
  '65382a701d10025a66712c1f1e11035b' +
  '672e2d201205045c68392f211413065d' +
  '693130232215075e6a7232241608095f' +
  '6b332517180b0a606c34352627190c61' +
  '6d7328741a0d626e3a361c1b752b6376' +
  '55567778797a0e7b7c4f7d4b477e7f6f' +
  '5253504c4d480145574e514a37494654';

/** What the 8042 makes of a set 2 byte (index) when it translates to set 1; from 80h on only 83h and 84h change. */
export const PS2_TRANSLATION = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code === 0x83) return 0x41;
  if (code === 0x84) return 0x54;
  return code < 0x80 ? Number.parseInt(TRANSLATION_LOW.slice(2 * code, 2 * code + 2), 16) : code;
});
