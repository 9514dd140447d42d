"""A suite that cannot be imported."""

import no_such_module

no_such_module.start()
