"""The hand-written floor of saving as an application of our web server, which protects it as it does the product."""

from benchmarks.limits.save import save
from config.serving.front import Front
from config.serving.limits import MIB, Limits

APPLICATION = "benchmarks.tools.floor:application"

application = Front(save, Limits(threads=8, body_bytes=5 * MIB))
