"""What reading Secrets under KMS v1 costs, and how fast it is therefore done."""

from __future__ import annotations

# KMS v1 keeps this many keys in memory; a Secret beyond them costs a call to Key Vault each time it is read
# (kubernetes ``apiserver/pkg/apis/config/v1/defaults.go``). The slowest vault takes 250 calls in ten seconds with
# RSA 4096 in an HSM, 1,000 with RSA 3072.
KMS_V1_CACHE, KMS_V1_PER_SECOND = 1000, 60.0
