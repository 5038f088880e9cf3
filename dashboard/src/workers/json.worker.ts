import { serve } from './calls'
import { jsonDesk } from './json'

serve(self, jsonDesk())
