import { diffTexts } from '../lib/diff/words'
import { serve } from './calls'
import type { DiffQuestion } from './diff'

serve(self, ({ before, after }: DiffQuestion) => diffTexts(before, after))
