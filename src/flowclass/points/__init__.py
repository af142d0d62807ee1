"""Streams of records of several observation points, joined into one: a flow that was seen twice is one record.

``joiner`` decides, ``arrivals`` has what consumers give, ``nats`` and ``kafka`` consume. docs/scale.md says more.
"""
