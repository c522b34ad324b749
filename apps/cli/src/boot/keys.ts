/** What is said of the keys that a session takes from the terminal. */

/** What Ctrl-A H prints. */
export const KEYS_HELP =
  'Ctrl-A X  leave\r\nCtrl-A H  this help\r\nCtrl-A S  write the variables now\r\n' +
  'Ctrl-A P  press the power button, which also wakes from S3\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n';
