# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .fields import depths as depths
from .fields import write_fields as write_fields
from .paraview_script import show_in_paraview as show_in_paraview
from .paths import samples_of as samples_of
from .paths import trace as trace
from .progress import Progress as Progress
from .read_fields import read_fields as read_fields
from .reload import case_of_run as case_of_run
from .report import run_report as run_report
from .report import summary as summary
from .run_directory import MARK as MARK
from .run_directory import own as own
from .run_directory import read_history as read_history
from .run_directory import read_theta as read_theta
from .run_directory import write_controls as write_controls
from .run_directory import write_history as write_history
from .run_directory import write_report as write_report
from .run_json import REPORT as REPORT
from .run_json import Certificate as Certificate
from .run_json import RunReport as RunReport
from .run_json import read_report as read_report
from .sets import SHARES as SHARES
from .sets import MassSets as MassSets
