"""Prints what matters of a certificate, a line each, leaving out what differs from one to the next."""

import sys
from pathlib import Path

from cryptography import x509

certificate = x509.load_pem_x509_certificate(Path(sys.argv[1]).read_bytes())
print("version", certificate.version.name)
print("signature", certificate.signature_algorithm_oid._name)
for title, name in ("subject", certificate.subject), ("issuer", certificate.issuer):
    for part in name.rdns:
        print(title, " + ".join(f"{one.oid.dotted_string}={one.value} ({one._type.name})" for one in part))
days = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / 86400
print("days", round(days))
print("serial fits", 0 < certificate.serial_number < 1 << 159)
for extension in sorted(certificate.extensions, key=lambda one: one.oid.dotted_string):
    value = extension.value
    print("extension", extension.oid._name, "critical" if extension.critical else "")
    if isinstance(value, x509.SubjectAlternativeName):
        for name in value:
            print("name", type(name).__name__.removesuffix("Name"), name.value)
    elif isinstance(value, (x509.BasicConstraints, x509.KeyUsage)):
        print(" ", value)
