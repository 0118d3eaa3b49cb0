/** The reason of fields that are still to be built. */
export const NOT_YET = 'Hawser does not implement it yet';
