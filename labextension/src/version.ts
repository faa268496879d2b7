/** The version of this extension: that of the Python package that carries it, which a test compares. */
export const VERSION = '0.1.0';
