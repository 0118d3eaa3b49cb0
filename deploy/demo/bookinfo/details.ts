/** details: what a book is. */
import { placeFromFlags, serve } from './workload.ts';

const BOOK = {
  title: 'The Comedy of Errors',
  author: 'William Shakespeare',
  year: 1595,
  pages: 200,
  publisher: 'PublisherA',
  isbn: '1234567890',
};

serve(placeFromFlags('details'), () => ({ body: BOOK }));
