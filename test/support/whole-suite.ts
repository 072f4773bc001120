/** Whether also that is run which costs minutes and hardly ever says more. */
export const isWholeSuite = process.env['NIGHTPORTER_WHOLE_SUITE'] === '1';
