# Writes an upgrade script: a file of this folder, with the install script in the place of its line
# "-- build: sql/install without the tables A, B". Of the install script all is taken but the schema and these tables,
# that are there already. Usage: awk -f build.awk UPGRADE_SCRIPT INSTALL_PART...
# A script without that line stays as it is: it leads to a released version.
FNR == 1 { file++ }

file == 1 {
    if (match($0, /^-- build: sql\/install without the tables /)) {
        marks++
        count = split(substr($0, RLENGTH + 1), names, ", ")
        for (i = 1; i <= count; i++)
            there["CREATE TABLE terra_identity." names[i] " ("] = 1
        after = 1
    } else if (after) {
        rest = rest $0 "\n"
    } else {
        print
    }
    next
}

$0 == "CREATE SCHEMA terra_identity;" { next }
/^\\echo / { next }
$0 in there {
    delete there[$0]
    skipping = 1
}
!marks { next }
!skipping { print }
skipping && /;$/ && /^\)/ { skipping = 0 }

END {
    for (line in there) {
        print "no install part has the line " line > "/dev/stderr"
        failed = 1
    }
    if (marks > 1 || skipping) {
        print "at most one line of the build, and tables that end" > "/dev/stderr"
        failed = 1
    }
    printf "%s", rest
    exit failed
}
