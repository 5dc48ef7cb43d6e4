#!/bin/bash
# SageMaker HyperPod, OnInitComplete: name this file in LifeCycleConfig. It adds to what the image has set up.
case ${BASH_SOURCE[0]} in
  */*) here=${BASH_SOURCE[0]%/*} ;;
  *) here=. ;;
esac
exec /bin/sh "$here/start.sh" on-init-complete "$@"
