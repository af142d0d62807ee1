"""Why a flow has its verdict: the story of one record, with the octets and a second opinion."""
