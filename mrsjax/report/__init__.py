"""Tables and the self-contained HTML report of an analysis."""

from mrsjax.report.document import render as render
from mrsjax.report.folder import check_folder as check_folder
from mrsjax.report.folder import write_folder as write_folder
from mrsjax.report.tables import parameters_rows as parameters_rows
from mrsjax.report.tables import qc_rows as qc_rows
from mrsjax.report.tables import results_rows as results_rows
from mrsjax.report.tables import to_csv as to_csv
from mrsjax.report.tables import to_json as to_json
