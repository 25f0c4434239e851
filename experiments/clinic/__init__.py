"""Answers for a hospital's systems: DICOM structured reports and FHIR resources."""
